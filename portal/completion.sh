# "portal" runs in every folder, and without npm, which takes longer to start than the command itself.
portal() { node '@TOOL@' portal/main.ts "$@"; }
# What may follow these words. It starts no process of Node.
_miniapp_portal_next() {
  case "$1" in
@CASES@
  esac
}
_miniapp_portal() {
  local words= next= at before="${COMP_WORDS[COMP_CWORD-1]}" word="${COMP_WORDS[COMP_CWORD]}"
  for ((at = 1; at < COMP_CWORD && at < 3; at++)); do
    case "${COMP_WORDS[at]}" in -*) break ;; esac
    words="${words:+$words }${COMP_WORDS[at]}"
  done
  case "$before" in --*) next="$(_miniapp_portal_next "$before")" ;; esac
  [ -n "$next" ] || next="$(_miniapp_portal_next "$words")"
  COMPREPLY=($(compgen -W "$next" -- "$word"))
}
complete -o default -F _miniapp_portal portal
