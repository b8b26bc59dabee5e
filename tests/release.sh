#!/usr/bin/env bash
# `make release`: builds dist/, checks its metadata, and tries the wheel and the source distribution as a
# user would: each in an environment of its own, away from the repository, by the README's quick start.
# What they hold is checked by tests/test_release.py.
#   tests/release.sh [TOOLS]          TOOLS: the environment of requirements/release.txt
#   KINDS=wheel tests/release.sh      one of the two; KINDS= builds and checks alone
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD tools=$PWD/${1:-.cache/release} python=${PYTHON:-python3}
kinds=${KINDS-wheel sdist} work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$*"; }

# What a command tells on the way is shown only if it fails.
quietly() { "$@" 2> told.txt || { tail -n 20 told.txt >&2; return 1; }; }

check_documents() {
  say "documents of the repository"
  "$tools/bin/check-jsonschema" --builtin-schema vendor.citation-file-format CITATION.cff
  "$tools/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
  "$tools/bin/check-jsonschema" --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
  "$tools/bin/check-jsonschema" --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
  find .github/ISSUE_TEMPLATE -name '*.yml' ! -name config.yml -exec \
    "$tools/bin/check-jsonschema" --builtin-schema vendor.github-issue-forms {} +
  "$tools/bin/hadolint" Dockerfile Dockerfile.serving
}

build() {
  say "dist/"
  rm -rf dist build
  "$tools/bin/python" -W error::DeprecationWarning -m build --no-isolation > .cache/build.log 2>&1 \
    || { tail -n 20 .cache/build.log >&2; exit 1; }
  rm -rf build
  "$tools/bin/twine" check --strict dist/*
}

# What the README promises a user, with what the package alone brings: no network, no data.
quick_start() {
  local environment=$1
  say "the README's first network"
  TF_CPP_MIN_LOG_LEVEL=3 "$environment/bin/python" - "$repository/README.md" "$environment" << 'PYTHON'
import re, sys
from pathlib import Path

import numpy as np

block = re.search(r"```python\n(.*?)```", Path(sys.argv[1]).read_text(encoding="utf-8"), re.S)[1]
names = {}
exec(block, names)
import a2keras

assert Path(a2keras.__file__).is_relative_to(sys.argv[2]), a2keras.__file__
assert names["model"].predict(np.zeros((2, 32, 32, 3)), verbose=0).shape == (2, 10)
print(a2keras.__version__, "of", a2keras.__file__)

from PIL import Image
from sklearn.datasets import load_digits

Image.fromarray((load_digits().images[-1] * 15.9).astype("uint8")).save("digit.png")
PYTHON
  say "the command"
  export PATH="$environment/bin:$PATH"
  quietly a2keras --help > help.txt
  quietly a2keras tables --table=6
  quietly a2keras train --recipe=digits_image --output=run --set epochs=2
  quietly a2keras evaluate run
  quietly a2keras export run --formats=saved_model,tflite_float32 --output=artefacts
  quietly a2keras predict artefacts/model_float32.tflite digit.png
}

try_in_a_clean_environment() {
  local file=$1 environment=$work/environment
  say "$file, with its dependencies, into a clean environment"
  "$python" -m venv "$environment"
  "$environment/bin/python" -m pip install -q --disable-pip-version-check "$file"
  "$environment/bin/python" -m pip check
  mkdir "$work/elsewhere"
  # Nothing of the repository's, nor of its user's settings, is found from there.
  (
    cd "$work/elsewhere"
    unset PYTHONPATH KERAS_BACKEND
    quick_start "$environment"
  )
  rm -rf "${work:?}"/*
}

mkdir -p .cache
check_documents
build
for kind in $kinds; do
  case $kind in
    wheel) file=$(echo "$repository"/dist/*.whl) ;;
    sdist) file=$(echo "$repository"/dist/*.tar.gz) ;;
    *) echo "KINDS must be of wheel and sdist. Received: $kind" >&2; exit 2 ;;
  esac
  SECONDS=0
  try_in_a_clean_environment "$file"
  say "$kind: works, in $SECONDS s"
done
if grep -q '^HOME = ".*\.example"' setup.py; then
  say "dist/ is whole. Before it is uploaded: HOME in setup.py is still a stand-in for the public address"
fi
