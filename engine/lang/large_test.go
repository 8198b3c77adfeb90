package lang

import (
	"strconv"
	"strings"
	"testing"
)

// What is large, and right, is read in little more than linear time.
func TestLargeSuites(t *testing.T) {
	rep := func(form string, n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(form, "#", strconv.Itoa(i)))
		}
		return b.String()
	}
	head := "suite \"s\" {}\nsandbox \"s\" { image = \"i\" }\ncase \"c\" {\n  sandbox = sandbox.s\n  prompt = \"p\"\n  check \"k\" { command = [\"x\"] }\n}\nagent \"o\" { builtin = \"noop\" }\n"
	for name, text := range map[string]string{
		"seeds":      head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n  seeds = [" + rep("#, ", 33_000) + "]\n}\n",
		"axis":       head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n  axis \"a\" {\n    values = [" + rep("#, ", 6_000) + "]\n  }\n}\n",
		"axistext":   head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n  axis \"a\" {\n    values = [" + rep("\"x#\", ", 16_000) + "]\n  }\n}\n",
		"agents":     head + rep("agent \"a#\" { builtin = \"noop\" }\n", 5_000) + "matrix \"m\" {\n  cases = [case.c]\n  agents = [" + rep("agent.a#, ", 5_000) + "]\n}\n",
		"dups":       head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [" + rep("agent.o, ", 16_000) + "]\n}\n",
		"cases":      head + "matrix \"m\" {\n  cases = [" + rep("case.c, ", 16_000) + "]\n  agents = [agent.o]\n}\n",
		"globs":      head + "matrix \"m\" {\n  cases = [case.c, " + rep("\"!cases/#\", ", 16_000) + "]\n  agents = [agent.o]\n}\n",
		"gates":      head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n}\n" + rep("gate \"g#\" { condition = matrix.m.passed > 0 }\n", 4_000),
		"gatesgates": head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n}\ngate \"g\" { condition = matrix.m.passed > 0 }\n" + rep("gate \"g#\" { condition = gate.g.outcome == \"passed\" }\n", 3_000),
		"matrices":   head + rep("matrix \"m#\" {\n  cases = [case.c]\n  agents = [agent.o]\n}\n", 3_000),
		"variables":  head + rep("variable \"v#\" { default = # }\n", 6_000),
		"vars_used":  head + rep("variable \"v#\" { default = # }\n", 3_000) + "locals {\n" + rep("l# = var.v#\n", 3_000) + "}\n",
		"locals":     head + "locals {\n" + rep("l# = [for i in range(3) : i]\n", 3_000) + "}\n",
		"reports":    head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n}\n" + rep("report \"json\" { path = \"out/#\" }\n", 6_000),
		"checks":     head + "case \"d\" {\n  sandbox = sandbox.s\n  prompt = \"p\"\n" + rep("  check \"k#\" { command = [\"x\"] }\n", 6_000) + "}\n",
		"casesmany":  head + rep("case \"c#\" {\n  sandbox = sandbox.s\n  prompt = \"p\"\n  check \"k\" { command = [\"x\"] }\n  solution { command = [\"x\"] }\n}\n", 3_000) + "matrix \"m\" {\n  cases = [case.*]\n  agents = [agent.o]\n}\n",
		"tags":       head + "case \"d\" {\n  sandbox = sandbox.s\n  prompt = \"p\"\n  tags = [" + rep("\"t#\", ", 16_000) + "]\n  check \"k\" { command = [\"x\"] }\n}\n",
		"mounts":     head + "sandbox \"t\" {\n  image = \"i\"\n" + rep("  mount {\n    source = \"cases\"\n    target = \"/d#\"\n  }\n", 3_000) + "}\n",
		"needs":      head + rep("matrix \"m#\" {\n  cases = [case.c]\n  agents = [agent.o]\n}\n", 3_000) + "matrix \"z\" {\n  cases = [case.c]\n  agents = [agent.o]\n  after = [" + rep("matrix.m#, ", 3_000) + "]\n}\n",
		"exclude":    head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n  axis \"a\" { values = [1, 2] }\n" + rep("  exclude { axis = { a = 1 } }\n", 5_000) + "}\n",
		"include":    head + "matrix \"m\" {\n  cases = [case.c]\n  agents = [agent.o]\n" + rep("  include {\n    cases = [case.c]\n    agents = [agent.o]\n  }\n", 3_000) + "}\n",
		"conds":      head + "locals {\n  a = " + rep("true ? # : ", 450) + "0\n}\n",
		"needschain": head + "matrix \"m0\" {\n  cases = [case.c]\n  agents = [agent.o]\n}\n" + rep("matrix \"m1#\" {\n  cases = [case.c]\n  agents = [agent.o]\n  after = [matrix.m0]\n}\n", 3_000),
		"headers":    head + "provider \"p\" {\n  base_url = \"https://x\"\n  headers = {\n" + rep("    \"X#\" = \"y\"\n", 13_000) + "  }\n}\n",
		"env":        head + "sandbox \"t\" {\n  image = \"i\"\n  env = {\n" + rep("    X# = \"y\"\n", 13_000) + "  }\n}\n",
		"hosts":      head + "sandbox \"t\" {\n  image = \"i\"\n  allow_hosts = [" + rep("\"x#\", ", 16_000) + "]\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			bounded(t, 4000, func() { loadText(t, text, map[string]string{"cases/README": ""}) })
		})
	}
}
