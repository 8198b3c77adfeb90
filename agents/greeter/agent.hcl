# The smallest agent there is: a command that can do one thing. Copy it to wrap
# a program of your own; the prompt is in the file trial.prompt_file.

agent "greeter" {
  command     = ["sh", "-c", "echo 'print(\"Hello, World!\")' > hello.py"]
  needs_model = false
}
