// Command pulumi-resource-kubernetes is upstream's resource provider. Its own main embeds two files that its module does not carry:
// they are made from the module's schema.json and terraform-mapping.json before the build.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// Set by the linker to the version of the Python SDK: the engine warns about a plugin of another version.
var version = "0.0.0"

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var mapping []byte

func main() {
	provider.Serve("kubernetes", version, schema, mapping)
}
