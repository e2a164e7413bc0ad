// Package sqs tests SQS at QUINTET_ENDPOINT with clients that are written in Go, and with suites of Go modules.
package sqs

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

var queues atomic.Int64

func newClient() *sqs.Client {
	return sqs.New(sqs.Options{
		BaseEndpoint: aws.String(os.Getenv("QUINTET_ENDPOINT")),
		Region:       "eu-central-1",
		Credentials:  credentials.NewStaticCredentialsProvider("anybody", "anything", ""),
	})
}

// newQueue makes a queue of the test's own and answers its QueueUrl.
func newQueue(t *testing.T, client *sqs.Client, attributes map[string]string) *string {
	t.Helper()
	made, err := client.CreateQueue(context.Background(), &sqs.CreateQueueInput{
		QueueName:  aws.String(fmt.Sprintf("go-%d", queues.Add(1))),
		Attributes: attributes,
	})
	ok(t, err)
	return made.QueueUrl
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
}
