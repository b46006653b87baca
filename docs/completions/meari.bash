# bash completion for meari. Made by `meari generate`; tools/generate.sh makes it again.

_meari() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb= operands=0 i
  # --flag=value comes as three words.
  if [[ $word == '=' ]]; then
    word=
  elif [[ $before == '=' ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      serve | connect | bench | help) if [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; else operands=$((operands + 1)); fi ;;
      *) operands=$((operands + 1)) ;;
    esac
  done
  case $before in
    --max-sessions) COMPREPLY=(); return ;;
    --max-per-source) COMPREPLY=(); return ;;
    --max-rate) COMPREPLY=(); return ;;
    --limit-rate) COMPREPLY=(); return ;;
    --min-progress) COMPREPLY=(); return ;;
    --allow) COMPREPLY=(); return ;;
    --deny) COMPREPLY=(); return ;;
    --ready-fd) COMPREPLY=(); return ;;
    --drain) COMPREPLY=(); return ;;
    --backlog) COMPREPLY=(); return ;;
    --log) COMPREPLY=($(compgen -W 'text json' -- "$word")); return ;;
    --workers) COMPREPLY=(); return ;;
    --accept-delay) COMPREPLY=(); return ;;
    --record) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --message | -m) COMPREPLY=(); return ;;
    --timeout) COMPREPLY=(); return ;;
    --source) COMPREPLY=(); return ;;
    --retry) COMPREPLY=(); return ;;
    --repeat) COMPREPLY=(); return ;;
    --interval) COMPREPLY=(); return ;;
    --connections | -c) COMPREPLY=(); return ;;
    --size) COMPREPLY=(); return ;;
    --depth) COMPREPLY=(); return ;;
    --duration | -d) COMPREPLY=(); return ;;
    --warmup) COMPREPLY=(); return ;;
    --rate | -r) COMPREPLY=(); return ;;
    --threads) COMPREPLY=(); return ;;
    --hold) COMPREPLY=(); return ;;
    --send) COMPREPLY=(); return ;;
    --expect) COMPREPLY=(); return ;;
    --server-pid) COMPREPLY=(); return ;;
    --save) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --percentiles) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --plot) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --compare) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --fail-on) COMPREPLY=(); return ;;
    --on-eof) COMPREPLY=($(compgen -W 'half-close close keep wait:' -- "$word")); return ;;
    --idle) COMPREPLY=(); return ;;
    --events) COMPREPLY=($(compgen -W 'json' -- "$word")); return ;;
    --backend) COMPREPLY=($(compgen -W 'auto uring uring-floor epoll iocp' -- "$word")); return ;;
    --lang) COMPREPLY=($(compgen -W 'ko en' -- "$word")); return ;;
  esac
  local words
  case $verb in
    serve)
      words='--once --max-sessions --max-per-source --max-rate --limit-rate --min-progress --allow --deny --ready-fd --drain --backlog --log --workers --reuse-port --accept-delay --record --on-eof --raw --hexdump --idle --explain --events --backend -q --quiet --lang -h --help -V --version'
      if [[ $word != -* && $operands == 0 ]]; then words='echo greet discard chargen daytime time stdio forward exec chat broadcast'; fi
      ;;
    connect)
      words='-m --message --expect-echo --check --timeout --source --retry --repeat --interval --crlf --on-eof --raw --hexdump --idle --explain --events --backend -q --quiet --lang -h --help -V --version'
      ;;
    bench)
      words='--timeout -c --connections --size --depth -d --duration --warmup -r --rate --threads --churn --hold --send --expect --server-pid --save --percentiles --plot --compare --fail-on --json --backend -q --quiet --lang -h --help -V --version'
      ;;
    help)
      words='--lang -h --help -V --version'
      if [[ $word != -* && $operands == 0 ]]; then words='serve connect bench help'; fi
      ;;
    *) if [[ $word == -* ]]; then words='--lang -h --help -V --version'; else words='serve connect bench help'; fi ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _meari meari
