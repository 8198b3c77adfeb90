# Finds its model through the environment, which every trial has.

agent "react" {
  install = "./install.sh"
  command = ["react", trial.prompt_file]
}
