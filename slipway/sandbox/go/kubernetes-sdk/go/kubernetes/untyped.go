// Package kubernetes stands in for the Go SDK of pulumi-kubernetes, of which the provider needs three small parts only.
// The SDK has a generated type for every kind of Kubernetes in every language version; compiling them takes longer than all the rest.
package kubernetes

import "reflect"

// UntypedArgs are the inputs of a resource as a Kubernetes manifest has them.
type UntypedArgs map[string]any

// ElementType is what the inputs resolve to.
func (UntypedArgs) ElementType() reflect.Type {
	return reflect.TypeFor[map[string]any]()
}
