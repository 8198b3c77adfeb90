package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine/store"
	jsonreport "github.com/ml-dev-bench/bench/reporters/json"
)

func newVersionCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Say which bench this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				text := "bench " + version
				if commit != "" {
					text += " (" + commit + ")"
				}
				fmt.Fprintln(a.stdout, text)
				return nil
			}
			return json.NewEncoder(a.stdout).Encode(map[string]any{
				"bench": version, "commit": commit, "go": runtime.Version(), "results_schema": jsonreport.Version, "store_schema": store.Schema,
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}
