# Hole: the script is only ever run in the workspace, where its data lies.
echo 'Hello, World!' >greeting.txt
echo 'print(open("greeting.txt").read())' >hello.py
