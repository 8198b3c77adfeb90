# Leaves a log of what it thought, which is kept.

agent "openhands" {
  install = "./install.sh"
  command = ["openhands", "--headless", "--file", trial.prompt_file]

  env = {
    LLM_MODEL    = "openai/${trial.model.id}"
    LLM_BASE_URL = trial.gateway.url
    LLM_API_KEY  = trial.gateway.token
  }

  artifacts = ["/root/.openhands/**"]
}
