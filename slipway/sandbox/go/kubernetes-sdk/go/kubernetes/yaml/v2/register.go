// Package v2 registers the resources of manifests: those of ConfigFile, ConfigGroup, Directory and Chart.
package v2

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Resource is a resource of any kind. The components hand it on and never read its outputs.
type Resource struct {
	pulumi.CustomResourceState
}

// RegisterResource registers one manifest. The SDK's own is a switch over 157 kinds with one type for each; all their tokens follow this rule.
func RegisterResource(
	ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input, opts ...pulumi.ResourceOption,
) (pulumi.CustomResource, error) {
	if apiVersion == "v1" {
		apiVersion = "core/v1"
	}
	var resource Resource
	if err := ctx.RegisterResource(fmt.Sprintf("kubernetes:%s:%s", apiVersion, kind), name, props, &resource, opts...); err != nil {
		return nil, err
	}
	return &resource, nil
}
