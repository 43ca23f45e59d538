// kafkajs: producers with codecs and headers, a group that a second member joins, commits.
const { CompressionTypes, check, equal, kafka, run, unique, until } = require('./checks')

const EACH = 100
const BATCHES = 5

const produce = async (producer, topic) => {
  let next = 0
  for (const codec of ['None', 'GZIP', 'Snappy']) {
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const messages = Array.from({ length: EACH }, (_, i) => ({
        key: `k${i % 10}`,
        value: `${next++}`,
        headers: { 'correlation-id': 'abc', multi: ['a', 'b'] },
      }))
      const sent = await producer.send({ topic, acks: -1, compression: CompressionTypes[codec], messages })
      if (batch === 0) check(`${codec} is acknowledged`, sent.every(one => one.errorCode === 0), sent)
    }
  }
  return next
}

/** A member of the group that notes the numbers it sees. */
const member = async (topic, groupId, seen, assigned) => {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 500 })
  consumer.on(consumer.events.GROUP_JOIN, event => assigned(event.payload.memberAssignment[topic] ?? []))
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommitInterval: 300,
    eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }) => {
      for (const message of batch.messages) {
        seen.push(message)
        resolveOffset(message.offset)
      }
      await commitOffsetsIfNecessary()
      await heartbeat()
    },
  })
  return consumer
}

run(async () => {
  const [topic, group] = [unique('kafkajs'), unique('kafkajs-group')]
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 3 }] })
  const producer = kafka.producer()
  await producer.connect()
  const total = await produce(producer, topic)

  const [ofOne, ofTwo] = [[], []]
  const numbers = messages => new Set(messages.map(message => Number(message.value)))
  const one = await member(topic, group, ofOne, () => {})
  await until(() => numbers(ofOne).size >= total)
  equal('a member reads all', numbers(ofOne).size, total)
  const { headers } = ofOne[0]
  equal('headers', [headers['correlation-id'].toString(), headers.multi.length], ['abc', 2])

  let share = []
  const two = await member(topic, group, ofTwo, partitions => { share = partitions })
  check('a second member gets a share', await until(() => share.length >= 1, 40000), share)
  const described = async () => (await admin.describeGroups([group])).groups[0]
  const stable = async () => {
    const { state, members } = await described()
    return state === 'Stable' && members.length === 2
  }
  check('the group is described', await until(stable), await described())
  const { groups } = await admin.listGroups()
  check('and listed', groups.some(one => one.groupId === group), groups)

  const more = Array.from({ length: 30 }, (_, i) => ({ value: `${10000 + i}`, partition: i % 3 }))
  await producer.send({ topic, messages: more })
  const fresh = () => [...numbers([...ofOne, ...ofTwo])].filter(number => number >= 10000).length
  check('all is read on', await until(() => fresh() === 30), fresh())
  const ofEach = [ofOne, ofTwo].map(own => [...numbers(own)].filter(number => number >= 10000).length)
  check('by both', ofEach.every(count => count > 0), ofEach)
  await two.disconnect()
  await one.disconnect()
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  const sum = offsets[0].partitions.reduce((all, one) => all + Number(one.offset), 0)
  equal('commits add up', sum, total + 30)
  await admin.disconnect()
})
