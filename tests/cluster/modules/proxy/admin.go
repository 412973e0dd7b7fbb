package main

import (
	"net/http"
	"strings"

	admin "github.com/envoyproxy/go-control-plane/envoy/admin/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
)

func (s *state) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /config_dump", func(answer http.ResponseWriter, request *http.Request) {
		s.Lock()
		defer s.Unlock()
		write(answer, s.dump(request.URL.Query().Has("include_eds")))
	})
	mux.HandleFunc("GET /clusters", func(answer http.ResponseWriter, _ *http.Request) {
		s.Lock()
		defer s.Unlock()
		write(answer, s.clusters())
	})
	mux.HandleFunc("POST /logging", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Write([]byte("active loggers:\n  admin: warning\n  config: info\n"))
	})
	mux.HandleFunc("GET /stats", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Write([]byte(`{"stats":[{"name":"server.uptime","value":7},{"name":"cluster_manager.cds.update_success","value":1}]}`))
	})
	return mux
}

func (s *state) dump(endpoints bool) *admin.ConfigDump {
	clusters := &admin.ClustersConfigDump{VersionInfo: s.versions[urls["cds"]]}
	for _, each := range s.resources[urls["cds"]] {
		clusters.DynamicActiveClusters = append(clusters.DynamicActiveClusters, &admin.ClustersConfigDump_DynamicCluster{Cluster: each})
	}
	listeners := &admin.ListenersConfigDump{VersionInfo: s.versions[urls["lds"]]}
	for _, each := range s.resources[urls["lds"]] {
		one := &listener.Listener{}
		if each.UnmarshalTo(one) == nil {
			state := &admin.ListenersConfigDump_DynamicListenerState{Listener: each}
			listeners.DynamicListeners = append(listeners.DynamicListeners,
				&admin.ListenersConfigDump_DynamicListener{Name: one.Name, ActiveState: state})
		}
	}
	routes := &admin.RoutesConfigDump{}
	for _, each := range s.resources[urls["rds"]] {
		routes.DynamicRouteConfigs = append(routes.DynamicRouteConfigs, &admin.RoutesConfigDump_DynamicRouteConfig{RouteConfig: each})
	}
	sections := []proto.Message{&admin.BootstrapConfigDump{Bootstrap: s.bootstrap}, clusters}
	if endpoints {
		assignments := &admin.EndpointsConfigDump{}
		for _, each := range s.resources[urls["eds"]] {
			assignments.DynamicEndpointConfigs = append(assignments.DynamicEndpointConfigs,
				&admin.EndpointsConfigDump_DynamicEndpointConfig{EndpointConfig: each})
		}
		sections = append(sections, assignments)
	}
	sections = append(sections, listeners, &admin.ScopedRoutesConfigDump{}, routes, &admin.SecretsConfigDump{})
	found := &admin.ConfigDump{}
	for _, each := range sections {
		packed, _ := anypb.New(each)
		found.Configs = append(found.Configs, packed)
	}
	return found
}

func (s *state) clusters() *admin.Clusters {
	found := &admin.Clusters{}
	for _, each := range s.resources[urls["eds"]] {
		one := &endpoint.ClusterLoadAssignment{}
		if each.UnmarshalTo(one) != nil {
			continue
		}
		status := &admin.ClusterStatus{Name: one.ClusterName, AddedViaApi: true}
		for _, locality := range one.Endpoints {
			for _, host := range locality.LbEndpoints {
				status.HostStatuses = append(status.HostStatuses, &admin.HostStatus{
					Address:      host.GetEndpoint().GetAddress(),
					HealthStatus: &admin.HostHealthStatus{EdsHealthStatus: core.HealthStatus_HEALTHY},
				})
			}
		}
		found.ClusterStatuses = append(found.ClusterStatuses, status)
	}
	return found
}

func write(answer http.ResponseWriter, message proto.Message) {
	content, err := protojson.MarshalOptions{UseProtoNames: true, Resolver: lenient{}}.Marshal(message)
	if err != nil {
		http.Error(answer, err.Error(), http.StatusInternalServerError)
		return
	}
	answer.Write(content)
}

// lenient knows the types that are linked in, and takes all others as messages without fields.
type lenient struct{}

func (lenient) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if found, err := protoregistry.GlobalTypes.FindMessageByName(name); err == nil {
		return found, nil
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String(string(name)), Package: proto.String(string(name.Parent())), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String(string(name.Name()))}},
	}, nil)
	if err != nil {
		return nil, err
	}
	return dynamicpb.NewMessageType(file.Messages().Get(0)), nil
}

func (l lenient) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return l.FindMessageByName(protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:]))
}

func (lenient) FindExtensionByName(name protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByName(name)
}

func (lenient) FindExtensionByNumber(name protoreflect.FullName, number protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return protoregistry.GlobalTypes.FindExtensionByNumber(name, number)
}
