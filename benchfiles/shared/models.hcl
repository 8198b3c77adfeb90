# The models of the paper (arXiv 2502.00964), by the names of their providers.
# Prices are in USD per million tokens, as published in February 2025. Keys are
# read from ANTHROPIC_API_KEY, OPENAI_API_KEY and GEMINI_API_KEY.

model "sonnet" {
  provider = provider.anthropic
  id       = "claude-3-5-sonnet-20241022"
  price    = { input = 3, output = 15, cached_input = 0.3, cache_write = 3.75 }
}

model "gpt4o" {
  provider = provider.openai
  id       = "gpt-4o-2024-08-06"
  price    = { input = 2.5, output = 10, cached_input = 1.25 }
}

model "gemini" {
  provider = provider.google
  id       = "gemini-2.0-flash"
  price    = { input = 0.1, output = 0.4, cached_input = 0.025 }
}
