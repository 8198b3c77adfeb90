# Three models behind three providers: two that cost money, and one at home.

secret "anthropic" {
  env = "ANTHROPIC_API_KEY"
}

secret "openai" {
  env = "OPENAI_API_KEY"
}

# With an address of its own, a provider speaks the API of openai, unless it says
# otherwise. Anthropic serves that, too.
provider "anthropic" {
  base_url = "https://api.anthropic.com/v1"
  api_key  = secret.anthropic
  parallel = 4
}

provider "openai" {
  base_url = "https://api.openai.com/v1"
  api_key  = secret.openai

  rate {
    requests_per_minute = 500
    tokens_per_minute   = 400000
  }
}

provider "local" {
  base_url = "http://127.0.0.1:8000/v1"
}

model "sonnet" {
  provider = provider.anthropic
  id       = "claude-sonnet-4"
  price    = { input = 3, output = 15 }
}

model "gpt" {
  provider = provider.openai
  id       = "gpt-5-mini"
  price    = { input = 0.25, output = 2 }
}

model "qwen" {
  provider = provider.local
  id       = "qwen3-coder-30b"
  params   = { temperature = 0.2, max_tokens = 8192 }
  price    = { input = 0, output = 0 }
}
