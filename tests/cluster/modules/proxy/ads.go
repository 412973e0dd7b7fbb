package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	types "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

const prefix = "type.googleapis.com/envoy."

var urls = map[string]string{
	"cds":  prefix + "config.cluster.v3.Cluster",
	"lds":  prefix + "config.listener.v3.Listener",
	"eds":  prefix + "config.endpoint.v3.ClusterLoadAssignment",
	"rds":  prefix + "config.route.v3.RouteConfiguration",
	"ecds": prefix + "config.core.v3.TypedExtensionConfig",
}

// state is what the proxy was given, by type URL.
type state struct {
	sync.Mutex
	bootstrap *bootstrap.Bootstrap
	resources map[string][]*anypb.Any
	versions  map[string]string
}

func newState(node *core.Node) *state {
	return &state{
		bootstrap: &bootstrap.Bootstrap{Node: node},
		resources: map[string][]*anypb.Any{}, versions: map[string]string{},
	}
}

func node(kind, version string) *core.Node {
	name, namespace := os.Getenv("POD_NAME"), os.Getenv("POD_NAMESPACE")
	metadata, err := structpb.NewStruct(map[string]any{
		"NAME": name, "NAMESPACE": namespace, "CLUSTER_ID": "Kubernetes", "ISTIO_VERSION": version,
		"PROXY_CONFIG": map[string]any{"statusPort": 15020}, "LABELS": map[string]any{"app": name},
	})
	if err != nil {
		log.Fatal(err)
	}
	build := &core.BuildVersion{Version: &types.SemanticVersion{MajorNumber: 1, MinorNumber: 39}}
	return &core.Node{
		Id:       fmt.Sprintf("%s~%s~%s.%s~%s.svc.cluster.local", kind, os.Getenv("POD_IP"), name, namespace, namespace),
		Cluster:  name + "." + namespace,
		Metadata: metadata, UserAgentName: "envoy",
		UserAgentVersionType: &core.Node_UserAgentBuildVersion{UserAgentBuildVersion: build},
	}
}

// follow keeps a stream to istiod, acknowledging what it is given unless told otherwise.
func (s *state) follow(istiod string, hold, refuse map[string]bool) {
	for {
		log.Print(s.stream(istiod, hold, refuse))
		time.Sleep(time.Second)
	}
}

func (s *state) stream(istiod string, hold, refuse map[string]bool) error {
	connection, err := grpc.NewClient(istiod, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		return err
	}
	defer connection.Close()
	ads, err := discovery.NewAggregatedDiscoveryServiceClient(connection).StreamAggregatedResources(context.Background())
	if err != nil {
		return err
	}
	requests := map[string]*discovery.DiscoveryRequest{}
	subscribe := func(name string, resources ...string) error {
		requests[urls[name]] = &discovery.DiscoveryRequest{
			Node: s.bootstrap.Node, TypeUrl: urls[name], ResourceNames: resources,
		}
		return ads.Send(requests[urls[name]])
	}
	for _, name := range []string{"cds", "lds"} {
		if err := subscribe(name); err != nil {
			return err
		}
	}
	for {
		response, err := ads.Recv()
		if err != nil {
			return err
		}
		if !refuse[short(response.TypeUrl)] {
			s.keep(response)
		}
		if err := acknowledge(ads, requests[response.TypeUrl], response, hold, refuse); err != nil {
			return err
		}
		switch response.TypeUrl {
		case urls["cds"]:
			err = subscribe("eds", endpointNames(response.Resources)...)
		case urls["lds"]:
			err = subscribe("rds", routeNames(response.Resources)...)
		}
		if err != nil {
			return err
		}
	}
}

func short(url string) string {
	for name, each := range urls {
		if each == url {
			return name
		}
	}
	return url
}

func (s *state) keep(response *discovery.DiscoveryResponse) {
	s.Lock()
	defer s.Unlock()
	s.resources[response.TypeUrl], s.versions[response.TypeUrl] = response.Resources, response.VersionInfo
}

func acknowledge(
	ads discovery.AggregatedDiscoveryService_StreamAggregatedResourcesClient, request *discovery.DiscoveryRequest,
	response *discovery.DiscoveryResponse, hold, refuse map[string]bool,
) error {
	name := short(response.TypeUrl)
	if hold[name] {
		return nil
	}
	if refuse[name] {
		request.ErrorDetail = &status.Status{Code: 13, Message: "refused by this proxy"}
	} else {
		request.VersionInfo = response.VersionInfo
	}
	request.ResponseNonce = response.Nonce
	return ads.Send(request)
}

// endpointNames are the clusters whose endpoints come over EDS.
func endpointNames(clusters []*anypb.Any) []string {
	var found []string
	for _, each := range clusters {
		one := &cluster.Cluster{}
		if each.UnmarshalTo(one) == nil && one.GetType() == cluster.Cluster_EDS {
			name := one.GetEdsClusterConfig().GetServiceName()
			if name == "" {
				name = one.Name
			}
			found = append(found, name)
		}
	}
	return found
}

// routeNames are the route configurations that listeners want over RDS.
func routeNames(listeners []*anypb.Any) []string {
	names := map[string]bool{}
	for _, each := range listeners {
		one := &listener.Listener{}
		if each.UnmarshalTo(one) != nil {
			continue
		}
		for _, chain := range append(one.FilterChains, one.DefaultFilterChain) {
			for _, filter := range chain.GetFilters() {
				manager := &hcm.HttpConnectionManager{}
				if filter.GetTypedConfig().MessageIs(manager) && filter.GetTypedConfig().UnmarshalTo(manager) == nil {
					names[manager.GetRds().GetRouteConfigName()] = true
				}
			}
		}
	}
	delete(names, "")
	var found []string
	for name := range names {
		found = append(found, name)
	}
	return found
}
