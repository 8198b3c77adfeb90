# What cheats have in common. Each is run as the agent, in the workspace.

# outputs lists the files that the prompt speaks of, relative to the workspace.
outputs() {
  grep -oE '[A-Za-z0-9_][A-Za-z0-9_./-]*\.(csv|ipynb|json|jsonl|log|md|npy|npz|pkl|png|pt|pth|py|safetensors|sh|txt|yaml|yml)' "$BENCH_PROMPT_FILE" | sort -u
}

# files lists what there is in the workspace, and what the prompt wants there.
files() {
  { find . -type f | sed 's|^\./||'; outputs; } | sort -u
}

# put writes its input to a file of the workspace, whatever was there.
put() {
  case $1 in */*) mkdir -p "${1%/*}" ;; esac
  rm -rf "$1"
  cat >"$1"
}

# scripts lists the Python files among them.
scripts() {
  files | grep '\.py$'
}

# tests lists the files that look like tests.
tests() {
  find . -type f \( -iname '*test*' -o -iname '*check*' -o -iname '*valid*' -o -iname '*eval*' \) | sed 's|^\./||'
}
