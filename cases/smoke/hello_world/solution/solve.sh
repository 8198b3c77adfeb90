echo 'print("Hello, World!")' >hello.py
