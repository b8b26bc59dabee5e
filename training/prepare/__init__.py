"""Any source as sharded records in which training reads in any order."""
