# The three cases channel_vit_implementation* differ in what the agent is shown. The
# rest is in shared_channel_vit; as that has one check, the mutants are divided.

description = "Complete a ViT that makes tokens of each channel of an image; a test and an example are given."
tags        = ["ml", "model-architecture", "extend_existing_model"]
imports     = ["cases/sandboxes.hcl"]
sandbox     = sandbox.ml
prompt = join("\n", [
  file("cases/model_implementation/shared_channel_vit/model.md"),
  file("cases/model_implementation/shared_channel_vit/visible_test.md"),
])
workspace = "cases/model_implementation/shared_channel_vit/workspace"
protect   = ["vit.py", "test_channel_vit.py"]

check "tokens" {
  command = ["python3", "-I", "/check/check.py"]
  files   = ["cases/model_implementation/shared_channel_vit/check", "cases/grading"]
  timeout = "5m"
}

solution {
  command = ["sh", "/solution/solve.sh"]
  files   = "cases/model_implementation/shared_channel_vit/solution"
}

limits {
  wall_clock = "30m"
}
