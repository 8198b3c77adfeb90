sandbox "python" {
  image   = "python:3.13-slim"
  network = "gateway"
  cpus    = 1
  memory  = "2GiB"
}
