# The two places that the cases of this directory run in.

sandbox "python" {
  cpus   = 1
  memory = "1GiB"
  pids   = 256

  build {
    context = "cases/images/python"
  }
}

sandbox "ml" {
  cpus   = 2
  memory = "4GiB"

  build {
    context = "cases/images/ml"
  }
}
