// kafkajs: transactions, committed and aborted, with an offset of a group.
const { equal, kafka, run, unique, until } = require('./checks')

run(async () => {
  const [source, target, group] = [unique('kafkajs-source'), unique('kafkajs-target'), unique('kafkajs-group')]
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: source, numPartitions: 2 }, { topic: target, numPartitions: 1 }] })
  const producer = kafka.producer({
    transactionalId: unique('kafkajs-transactional'),
    maxInFlightRequests: 1,
    idempotent: true,
  })
  await producer.connect()

  const transaction = async (values, end) => {
    const open = await producer.transaction()
    await open.send({ topic: target, messages: values.map(value => ({ value })) })
    await end(open)
  }
  await transaction(['c1', 'c2'], open => open.commit())
  await transaction(['a1'], open => open.abort())
  await transaction(['c3'], async open => {
    const partitions = [{ partition: 1, offset: '7' }]
    await open.sendOffsets({ consumerGroupId: group, topics: [{ topic: source, partitions }] })
    await open.commit()
  })

  const values = []
  const reader = kafka.consumer({ groupId: unique('kafkajs-reader'), readUncommitted: false })
  await reader.connect()
  await reader.subscribe({ topic: target, fromBeginning: true })
  await reader.run({ eachMessage: async ({ message }) => { values.push(message.value.toString()) } })
  await until(() => values.length >= 3)
  equal('read committed', values, ['c1', 'c2', 'c3'])
  await reader.disconnect()
  const offsets = await admin.fetchOffsets({ groupId: group, topics: [source] })
  equal('the offset of the transaction', offsets[0].partitions.find(one => one.partition === 1).offset, '7')
  await producer.disconnect()
  await admin.disconnect()
})
