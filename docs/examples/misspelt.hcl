# A benchfile with a mistake, for the README.
suite "misspelt" {
  imports = ["agents/builtin.hcl"]
}

matrix "m" {
  cases  = ["cases/smoke/hello_world"]
  agents = [agent.orcale]
}
