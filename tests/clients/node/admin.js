// kafkajs: administration of topics, settings, groups' offsets.
const { check, equal, kafka, run, unique, until } = require('./checks')

run(async () => {
  const [topic, group] = [unique('kafkajs-admin'), unique('kafkajs-admin-group')]
  const admin = kafka.admin()
  await admin.connect()
  const configEntries = [{ name: 'retention.ms', value: '3600000' }]
  const topics = [{ topic, numPartitions: 3, configEntries }]
  equal('create', await admin.createTopics({ topics }), true)
  equal('create again', await admin.createTopics({ topics }), false)
  check('list', (await admin.listTopics()).includes(topic))
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] })
  equal('metadata', metadata.topics[0].partitions.length, 3)
  const resources = [{ type: 2, name: topic, configNames: ['retention.ms'] }]
  const described = await admin.describeConfigs({ resources })
  equal('settings', described.resources[0].configEntries[0].configValue, '3600000')
  const cluster = await admin.describeCluster()
  check('the cluster', cluster.brokers.length >= 1 && cluster.clusterId, cluster)

  const producer = kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: 'one', partition: 0 }, { value: 'two', partition: 1 }] })
  const byTime = await admin.fetchTopicOffsetsByTimestamp(topic, Date.now() - 3600000)
  check('offsets by time', byTime.every(one => one.offset === '0'), byTime)
  const ends = await admin.fetchTopicOffsets(topic)
  equal('end offsets', ends.map(one => one.high).sort(), ['0', '1', '1'])

  await admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '5' }] })
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  equal('offsets set', offsets[0].partitions.find(one => one.partition === 0).offset, '5')
  await admin.deleteGroups([group])
  const { groups } = await admin.listGroups()
  check('the group is deleted', !groups.some(one => one.groupId === group), groups)
  await admin.deleteTopics({ topics: [topic] })
  check('the topic is deleted', await until(async () => !(await admin.listTopics()).includes(topic), 8000))
  await producer.disconnect()
  await admin.disconnect()
})
