package sqs

import (
	"context"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// queueLength asks as KEDA's scaler aws-sqs-queue does: the attributes that the trigger's metadata choose, added up.
func queueLength(t *testing.T, client *sqs.Client, url *string, names ...types.QueueAttributeName) int {
	t.Helper()
	told, err := client.GetQueueAttributes(context.Background(), &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: names,
	})
	ok(t, err)
	equal(t, len(told.Attributes), len(names))
	sum := 0
	for _, name := range names {
		count, err := strconv.Atoi(told.Attributes[string(name)])
		ok(t, err)
		sum += count
	}
	return sum
}

func TestWhatKEDAScalesBy(t *testing.T) {
	ctx, client := context.Background(), newClient()
	url := newQueue(t, client, map[string]string{"VisibilityTimeout": "3600"})
	for n := range 5 {
		// Two of them are delayed.
		delay := int32(n % 2 * 900)
		_, err := client.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: aws.String("x"), DelaySeconds: delay,
		})
		ok(t, err)
	}
	_, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
	ok(t, err)
	visible := types.QueueAttributeNameApproximateNumberOfMessages
	inFlight := types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	delayed := types.QueueAttributeNameApproximateNumberOfMessagesDelayed
	equal(t, queueLength(t, client, url, visible), 2)
	equal(t, queueLength(t, client, url, visible, inFlight), 3)
	equal(t, queueLength(t, client, url, visible, inFlight, delayed), 5)
}
