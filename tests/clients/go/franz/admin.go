package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"onrush.dev/tests/clients/check"
)

func admin() {
	topic := check.Unique("franz-admin")
	admin := create(topic)
	again, err := admin.CreateTopics(ctx, 3, 1, nil, topic)
	check.Succeeds("an answer to a second creation", err)
	refused := errors.Is(again[topic].Err, kerr.TopicAlreadyExists)
	check.Holds("it is refused", refused, again[topic].Err)

	listed, err := admin.ListTopics(ctx, topic)
	check.Succeeds("topics are listed", err)
	check.Equal("with their partitions", len(listed[topic].Partitions), 3)

	hour := "3600000"
	alter := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &hour}}
	altered, err := admin.AlterTopicConfigs(ctx, alter, topic)
	check.Holds("a setting is changed", err == nil && altered[0].Err == nil, err, altered)
	changed := check.Until(5*time.Second, func() bool { return setting(admin, topic, "retention.ms") == hour })
	check.Holds("it is as changed", changed, setting(admin, topic, "retention.ms"))

	brokers, err := admin.BrokerMetadata(ctx)
	check.Succeeds("brokers", err)
	check.Holds("and the cluster id", len(brokers.Brokers) > 0 && brokers.Cluster != "", brokers)
	directories, err := admin.DescribeAllLogDirs(ctx, nil)
	check.Holds("log directories", err == nil && len(directories) > 0, err)
	deleted, err := admin.DeleteTopics(ctx, topic)
	check.Holds("the topic is deleted", err == nil && deleted.Error() == nil, err)
}

// setting is what a topic's setting is described as.
func setting(admin *kadm.Client, topic, key string) string {
	described, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil || len(described) != 1 {
		return fmt.Sprint(err, described)
	}
	for _, config := range described[0].Configs {
		if config.Key == key {
			return config.MaybeValue()
		}
	}
	return "missing"
}
