# Hole: a link as the deliverable, here to a file that answers for it.
echo 'print("Hello, World!")' >real.py
ln -s real.py hello.py
