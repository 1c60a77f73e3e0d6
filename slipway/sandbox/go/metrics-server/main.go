// Command metrics-server is upstream's, with the names in its API description as this version of Kubernetes' libraries looks them up.
package main

import (
	"flag"
	"os"

	"github.com/spf13/cobra"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/logs"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options"
	"sigs.k8s.io/metrics-server/pkg/api"
	generated "sigs.k8s.io/metrics-server/pkg/api/generated/openapi"
)

func main() {
	logs.InitLogs()
	defer logs.FlushLogs()
	if err := command(options.NewOptions()).Execute(); err != nil {
		os.Exit(1)
	}
}

func command(opts *options.Options) *cobra.Command {
	command := &cobra.Command{
		Use:          "metrics-server",
		SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			return run(opts, genericapiserver.SetupSignalHandler())
		},
	}
	sets := opts.Flags()
	local := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	logs.AddGoFlags(local)
	sets.FlagSet("logging").AddGoFlagSet(local)
	for _, set := range sets.FlagSets {
		command.Flags().AddFlagSet(set)
	}
	return command
}

func run(opts *options.Options, stop <-chan struct{}) error {
	if errors := opts.Validate(); len(errors) > 0 {
		return errors[0]
	}
	config, err := opts.ServerConfig()
	if err != nil {
		return err
	}
	namer := openapinamer.NewDefinitionNamer(api.Scheme)
	second, third := config.Apiserver.OpenAPIConfig.Info, config.Apiserver.OpenAPIV3Config.Info
	config.Apiserver.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.Apiserver.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	config.Apiserver.OpenAPIConfig.Info, config.Apiserver.OpenAPIV3Config.Info = second, third
	server, err := config.Complete()
	if err != nil {
		return err
	}
	return server.RunUntil(stop)
}

// Version 0.8.0 was generated when a definition was named by the path of its Go package. Since 1.35 types say their names themselves.
func definitions(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	named := map[string]common.OpenAPIDefinition{}
	byPath := generated.GetOpenAPIDefinitions(func(path string) spec.Ref { return ref(util.ToRESTFriendlyName(path)) })
	for path, definition := range byPath {
		for i, dependency := range definition.Dependencies {
			definition.Dependencies[i] = util.ToRESTFriendlyName(dependency)
		}
		named[util.ToRESTFriendlyName(path)] = definition
	}
	return named
}
