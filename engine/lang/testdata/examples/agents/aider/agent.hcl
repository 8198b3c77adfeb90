# Is told on its command line which model to ask, and where.

agent "aider" {
  install = "./install.sh"
  command = ["aider", "--yes-always", "--model", "openai/${trial.model.id}", "--message-file", trial.prompt_file]

  env = {
    OPENAI_API_BASE = trial.gateway.url
    OPENAI_API_KEY  = trial.gateway.token
  }
}
