package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const runtimeSocket = "unix:///run/containerd/containerd.sock"

// crictl has the two verbs that kind calls in a node: inspecti IMAGE, and images.
func crictl() {
	connection, err := grpc.NewClient(runtimeSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fail(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	service := cri.NewImageServiceClient(connection)
	switch arguments := os.Args[1:]; {
	case len(arguments) == 2 && arguments[0] == "inspecti":
		err = inspectImage(ctx, service, arguments[1])
	case len(arguments) == 1 && arguments[0] == "images":
		err = listImages(ctx, service)
	default:
		err = fmt.Errorf("usage: crictl inspecti IMAGE | crictl images")
	}
	if err != nil {
		fail(err)
	}
}

func inspectImage(ctx context.Context, service cri.ImageServiceClient, name string) error {
	answer, err := service.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: name}})
	if err != nil {
		return err
	}
	if answer.Image == nil {
		return fmt.Errorf("no such image %q present", name)
	}
	status := map[string]any{"id": answer.Image.Id, "repoTags": answer.Image.RepoTags}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"status": status})
}

func listImages(ctx context.Context, service cri.ImageServiceClient) error {
	answer, err := service.ListImages(ctx, &cri.ListImagesRequest{})
	if err != nil {
		return err
	}
	for _, image := range answer.Images {
		for _, tag := range image.RepoTags {
			fmt.Printf("%-64s %12d\n", tag, image.Size)
		}
	}
	return nil
}
