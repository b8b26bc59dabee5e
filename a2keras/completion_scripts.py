"""The scripts of `a2keras completion`, each in its shell's own language, around one table."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Protocol


class Place(Protocol):
    """See `completion.Entry`."""

    @property
    def words(self) -> tuple[str, ...]: ...

    @property
    def files(self) -> bool: ...


Table = Mapping[str, Place]


def _cases(table: Table) -> str:
    """The table as the branches of a `case`, which set `known` and `files`."""
    lines = []
    for key, place in table.items():
        known = shlex.quote(" ".join(place.words))
        lines.append(f"    {shlex.quote(key)}) known={known} files={place.files:d} ;;")
    return "\n".join(["  case $1 in", *lines, "    *) return 1 ;;", "  esac"])


def bash(table: Table) -> str:
    return _BASH.replace("CASES", _cases(table))


def zsh(table: Table) -> str:
    return _ZSH.replace("CASES", _cases(table))


# readline takes a word apart at = and :, and puts back what follows the last of them.
_BASH = r"""# bash completion of a2keras; made by `a2keras completion bash`
_a2keras_known() {
CASES
}

_a2keras() {
  local line=${COMP_LINE:0:COMP_POINT} known='' files=0 start='' word
  local current=${line##*[[:space:]]}
  local -a before
  read -ra before <<< "${line%"$current"}"
  local command=${before[1]-} last=${before[${#before[@]}-1]}
  if ((${#before[@]} < 2)); then
    _a2keras_known ''
  elif [[ $current == --*=* ]]; then
    start=${current%%=*}=
    _a2keras_known "$command ${current%%=*}"
  elif [[ $current == -* ]]; then
    _a2keras_known "$command"
  else
    [[ $last == --* ]] && _a2keras_known "$command $last" || _a2keras_known "$command -"
  fi
  [[ $current == *,* ]] && start=${current%,*},
  local breaks=${COMP_WORDBREAKS//[^=:]/} done=''
  [[ $breaks ]] && done=${current%"${current##*[$breaks]}"}
  COMPREPLY=()
  for word in $known; do
    [[ $start$word == "$current"* ]] && word=$start$word && COMPREPLY+=("${word#"$done"}")
  done
  ((files)) || compopt +o default
  [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:] ]] && compopt -o nospace
  return 0
}

complete -o default -F _a2keras a2keras"""

_ZSH = r"""#compdef a2keras
# zsh completion of a2keras; made by `a2keras completion zsh`
_a2keras_known() {
CASES
}

_a2keras() {
  local known='' files=0 start='' last=$words[CURRENT-1]
  local -a fitting going
  if ((CURRENT == 2)); then
    _a2keras_known ''
  elif [[ $PREFIX == --*=* ]]; then
    start=${PREFIX%%=*}=
    _a2keras_known "$words[2] ${PREFIX%%=*}"
  elif [[ $PREFIX == -* ]]; then
    _a2keras_known "$words[2]"
  else
    [[ $last == --* ]] && _a2keras_known "$words[2] $last" || _a2keras_known "$words[2] -"
  fi
  local option=$start
  [[ $PREFIX == *,* ]] && start=${PREFIX%,*},
  fitting=($start${^=known})
  going=(${(M)fitting:#*[=:]})
  compadd -S '' -a going
  compadd -- ${fitting:#*[=:]}
  if ((files)); then
    [[ $option ]] && compset -P '*='
    _files
  fi
}

if [[ $funcstack[1] == _a2keras ]]; then
  _a2keras "$@"
else
  compdef _a2keras a2keras
fi"""


def fish(table: Table) -> str:
    """A line for every flag; fish itself knows `--flag=value` and `--flag value`."""
    lines = ["# fish completion of a2keras; made by `a2keras completion fish`"]
    lines.append("complete -c a2keras -f")
    lines.append(_fish("-n __fish_use_subcommand", table[""].words))
    for key, place in table.items():
        name, _, rest = key.partition(" ")
        seen = f"-n {shlex.quote(f'__fish_seen_subcommand_from {name}')}"
        if rest == "-":
            lines.append(_fish(f"{seen}{' -F' if place.files else ''}", place.words))
        elif rest:
            options = f"{seen} -l {rest[2:]} -r{'' if place.files else ' -f'}"
            # Behind a comma, too: `--formats=onnx,web`.
            words = [f"(__fish_append , {' '.join(place.words)})"] if place.words else []
            lines.append(_fish(options, words))
        elif name:
            flags = [word for word in place.words if not word.endswith("=")]
            lines += [f"complete -c a2keras {seen} -l {word[2:]}" for word in flags]
    return "\n".join(lines)


def _fish(options: str, words: Sequence[str]) -> str:
    return f"complete -c a2keras {options} -a {shlex.quote(' '.join(words))}"
