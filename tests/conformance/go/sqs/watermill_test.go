package sqs

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	_ "gocloud.dev/pubsub/awssnssqs" // Its tests are built from this module.
)

const id = "watermill-uuid"

// TestWatermill runs the suite that Watermill has for every Pub/Sub. A topic is a queue.
func TestWatermill(t *testing.T) {
	features := tests.Features{Persistent: true}
	tests.TestPubSub(t, features, func(*testing.T) (message.Publisher, message.Subscriber) {
		return publisher{newClient()}, newSubscriber(newClient())
	}, nil)
}

func urlOf(ctx context.Context, client *sqs.Client, topic string) (*string, error) {
	made, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String(topic)})
	if err != nil {
		return nil, err
	}
	return made.QueueUrl, nil
}

type publisher struct{ client *sqs.Client }

func (p publisher) Publish(topic string, messages ...*message.Message) error {
	ctx := context.Background()
	url, err := urlOf(ctx, p.client, topic)
	if err != nil {
		return err
	}
	for len(messages) > 0 {
		batch := messages[:min(10, len(messages))]
		messages = messages[len(batch):]
		var entries []types.SendMessageBatchRequestEntry
		for number, one := range batch {
			attributes := map[string]types.MessageAttributeValue{id: text(one.UUID)}
			for name, value := range one.Metadata {
				attributes[name] = text(value)
			}
			entries = append(entries, types.SendMessageBatchRequestEntry{
				Id:                aws.String(strconv.Itoa(number)),
				MessageBody:       aws.String(string(one.Payload)),
				MessageAttributes: attributes,
			})
		}
		if _, err := p.client.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries}); err != nil {
			return err
		}
	}
	return nil
}

func (p publisher) Close() error { return nil }

func text(value string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
}

type subscriber struct {
	client  *sqs.Client
	closed  context.Context
	close   context.CancelFunc
	running *sync.WaitGroup
}

func newSubscriber(client *sqs.Client) subscriber {
	closed, end := context.WithCancel(context.Background())
	return subscriber{client, closed, end, &sync.WaitGroup{}}
}

func (s subscriber) Close() error {
	s.close()
	s.running.Wait()
	return nil
}

// SubscribeInitialize makes the queue, so that what is sent before Subscribe is kept.
func (s subscriber) SubscribeInitialize(topic string) error {
	_, err := urlOf(s.closed, s.client, topic)
	return err
}

func (s subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	url, err := urlOf(ctx, s.client, topic)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	context.AfterFunc(s.closed, end)
	output := make(chan *message.Message)
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		defer close(output)
		for ctx.Err() == nil {
			received, err := s.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
				QueueUrl:              url,
				MaxNumberOfMessages:   1,
				WaitTimeSeconds:       20,
				MessageAttributeNames: []string{"All"},
			})
			if err != nil {
				continue
			}
			for _, one := range received.Messages {
				s.settle(url, one, s.handled(ctx, one, output))
			}
		}
	}()
	return output, nil
}

// handled tells whether a message was given out and acknowledged.
func (s subscriber) handled(ctx context.Context, one types.Message, output chan<- *message.Message) bool {
	given := message.NewMessage("", []byte(*one.Body))
	for name, value := range one.MessageAttributes {
		if name == id {
			given.UUID = *value.StringValue
		} else {
			given.Metadata.Set(name, *value.StringValue)
		}
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	given.SetContext(ctx)
	select {
	case output <- given:
	case <-ctx.Done():
		return false
	}
	select {
	case <-given.Acked():
		return true
	case <-given.Nacked():
		return false
	case <-ctx.Done():
		return false
	}
}

// settle deletes a message or gives it back; also after the subscription's end.
func (s subscriber) settle(url *string, one types.Message, acknowledged bool) {
	ctx := context.Background()
	if acknowledged {
		_, _ = s.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: one.ReceiptHandle})
		return
	}
	_, _ = s.client.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: one.ReceiptHandle, VisibilityTimeout: 0,
	})
}
