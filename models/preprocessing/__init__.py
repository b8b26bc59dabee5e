"""Files to network inputs: decode, sample clips, resize and crop; one definition for every room."""
