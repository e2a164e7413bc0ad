package sqs

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// The SDK itself compares the MD5 sums of what it sends and receives.
func TestMessagesGoThroughTheSDK(t *testing.T) {
	ctx, client := context.Background(), newClient()
	url := newQueue(t, client, map[string]string{"VisibilityTimeout": "60"})
	var entries []types.SendMessageBatchRequestEntry
	for n := range 10 {
		entries = append(entries, types.SendMessageBatchRequestEntry{
			Id:          aws.String(strconv.Itoa(n)),
			MessageBody: aws.String("body " + strconv.Itoa(n)),
			MessageAttributes: map[string]types.MessageAttributeValue{
				"text":  {DataType: aws.String("String"), StringValue: aws.String("héllo")},
				"bytes": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
			},
		})
	}
	sent, err := client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries})
	ok(t, err)
	equal(t, len(sent.Successful), 10)
	bodies := map[string]bool{}
	for len(bodies) < 10 {
		received, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl:                    url,
			MaxNumberOfMessages:         10,
			WaitTimeSeconds:             20,
			MessageAttributeNames:       []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{"All"},
		})
		ok(t, err)
		var settled []types.DeleteMessageBatchRequestEntry
		for _, message := range received.Messages {
			equal(t, string(message.MessageAttributes["bytes"].BinaryValue), "\x00\xff")
			equal(t, message.Attributes["ApproximateReceiveCount"], "1")
			bodies[*message.Body] = true
			settled = append(settled, types.DeleteMessageBatchRequestEntry{
				Id: message.MessageId, ReceiptHandle: message.ReceiptHandle,
			})
		}
		deleted, err := client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: settled})
		ok(t, err)
		equal(t, len(deleted.Failed), 0)
	}
	equal(t, len(bodies), 10)
}

func TestErrorsHaveTheirTypes(t *testing.T) {
	ctx, client := context.Background(), newClient()
	_, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("no-such-queue")})
	var unknown *types.QueueDoesNotExist
	equal(t, errors.As(err, &unknown), true)
	url := newQueue(t, client, nil)
	_, err = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("none")})
	var invalid *types.ReceiptHandleIsInvalid
	equal(t, errors.As(err, &invalid), true)
	_, err = client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{
		QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{},
	})
	var empty *types.EmptyBatchRequest
	equal(t, errors.As(err, &empty), true)
}

func TestQueuesComeInPages(t *testing.T) {
	ctx, client := context.Background(), newClient()
	wanted := map[string]bool{}
	for range 3 {
		wanted[*newQueue(t, client, nil)] = true
	}
	pages := sqs.NewListQueuesPaginator(client, &sqs.ListQueuesInput{
		QueueNamePrefix: aws.String("go-"), MaxResults: aws.Int32(2),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		ok(t, err)
		for _, url := range page.QueueUrls {
			delete(wanted, url)
		}
	}
	equal(t, len(wanted), 0)
}
