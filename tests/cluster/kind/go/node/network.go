package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/vishvananda/netlink"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	networkConfig = "/etc/cni/net.d/10-pods.conflist"
	lookEvery     = 2 * time.Second
	bridge        = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true, "ipam": {
    "type": "host-local", "dataDir": "/run/pod-addresses",
    "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
`
)

// podNetwork keeps this node's part of the pods' network, in place of kind's own daemon: a bridge with the addresses
// that the node was given, a route to each other node, and one address for what leaves the cluster. IPv4 alone;
// it does not enforce NetworkPolicies.
func podNetwork() {
	config, err := rest.InClusterConfig()
	if err != nil {
		fail(err)
	}
	// kind says where the API server is, so that nobody waits for kube-proxy, which waits for a network.
	if endpoint := os.Getenv("CONTROL_PLANE_ENDPOINT"); endpoint != "" {
		config.Host = "https://" + endpoint
	}
	nodes := kubernetes.NewForConfigOrDie(config).CoreV1().Nodes()
	for ; ; time.Sleep(lookEvery) {
		report(masquerade(os.Getenv("POD_SUBNET")))
		found, err := nodes.List(context.Background(), metav1.ListOptions{})
		if err != nil {
			report(err)
			continue
		}
		for _, node := range found.Items {
			if node.Spec.PodCIDR != "" {
				report(connect(node))
			}
		}
	}
}

func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func connect(node v1.Node) error {
	if node.Name == os.Getenv("NODE_NAME") {
		return writeConfig(fmt.Sprintf(bridge, node.Spec.PodCIDR))
	}
	return routeTo(node)
}

func writeConfig(wanted string) error {
	if held, err := os.ReadFile(networkConfig); err == nil && string(held) == wanted {
		return nil
	}
	// The runtime reads the folder whenever something in it changes: it must find the whole file.
	if err := os.WriteFile(networkConfig+".new", []byte(wanted), 0o644); err != nil {
		return err
	}
	return os.Rename(networkConfig+".new", networkConfig)
}

func routeTo(node v1.Node) error {
	_, pods, err := net.ParseCIDR(node.Spec.PodCIDR)
	if err != nil {
		return err
	}
	for _, address := range node.Status.Addresses {
		if address.Type == v1.NodeInternalIP {
			return netlink.RouteReplace(&netlink.Route{Dst: pods, Gw: net.ParseIP(address.Address)})
		}
	}
	return fmt.Errorf("node %s has no address yet", node.Name)
}

func masquerade(pods string) error {
	rule := []string{"POSTROUTING", "-s", pods, "!", "-d", pods, "-m", "comment", "--comment", "pods", "-j", "MASQUERADE"}
	if iptables(append([]string{"-C"}, rule...)) == nil {
		return nil
	}
	return iptables(append([]string{"-A"}, rule...))
}

func iptables(arguments []string) error {
	command := exec.Command("iptables", append([]string{"-w", "-t", "nat"}, arguments...)...)
	if told, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables %v: %w: %s", arguments, err, told)
	}
	return nil
}
