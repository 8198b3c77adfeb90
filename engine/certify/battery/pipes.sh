# Makes pipes of what should be results: who opens one to read waits for ever.
. /solution/lib.sh
files | while read -r name; do
  put "$name" </dev/null
  rm -f "$name"
  mkfifo "$name"
done
exit 0
