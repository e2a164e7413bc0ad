// node is every Kubernetes program of a node image in one: which one it is, its name says.
//
// One link and one file instead of nine, and each of them as its project builds it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmutil "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	programs := map[string]func(){
		"crictl":                  crictl,
		"kubeadm":                 func() { kubeadmutil.HandleError(kubeadm.Run()) },
		"kubectl":                 runKubectl,
		"kube-apiserver":          func() { component(apiserver.NewAPIServerCommand()) },
		"kube-controller-manager": func() { component(controllermanager.NewControllerManagerCommand()) },
		"kube-proxy":              func() { component(proxy.NewProxyCommand()) },
		"kube-scheduler":          func() { component(scheduler.NewSchedulerCommand()) },
		"kubelet":                 func() { component(kubelet.NewKubeletCommand(context.Background())) },
		"pod-network":             podNetwork,
	}
	name := filepath.Base(os.Args[0])
	program, known := programs[name]
	if !known {
		fail(fmt.Errorf("no program is called %q here", name))
	}
	program()
}

func component(command *cobra.Command) {
	os.Exit(cli.Run(command))
}

func runKubectl() {
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
