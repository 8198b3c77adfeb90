// Command bench evaluates AI agents as benchfiles say.
//
//	bench validate FILE   finds mistakes, without running anything
//	bench plan FILE       says what would run, and what is reused
//	bench apply FILE      runs it, and writes the reports
//
// The product goes to standard output, talk goes to standard error. The exit
// status is 0 if everything was done, whatever the agents did; 1 if bench itself
// could not work; 2 for a mistake in a command or a benchfile; 3 if a gate failed;
// 4 if one could not decide, or some trials came to no verdict. See exit.go.
package main

import (
	"os"

	"github.com/ml-dev-bench/bench/engine/sandbox/local"
	"github.com/ml-dev-bench/bench/engine/sandbox/tunnel"
)

func main() {
	local.Main()
	if len(os.Args) == 3 && os.Args[1] == tunnel.Command { // in a sandbox; see helper.go
		os.Exit(tunnel.Main(os.Args[2]))
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
