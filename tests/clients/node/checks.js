// What the Node cases share: a client, and checks that say what they found.
const { isDeepStrictEqual } = require('node:util')
const { randomBytes } = require('node:crypto')
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

let passed = 0
let failed = 0

const kafka = new Kafka({
  clientId: 'onrush-tests',
  brokers: [process.env.KAFKA],
  logLevel: logLevel.NOTHING,
})

/** A name that no other case and no earlier run has used. */
const unique = base => `${base}-${randomBytes(5).toString('hex')}`

const check = (what, holds, found) => {
  if (holds) {
    passed += 1
    console.log(`PASS ${what}`)
  } else {
    failed += 1
    console.log(`FAIL ${what}: found ${JSON.stringify(found)}`)
  }
}

const equal = (what, found, wanted) =>
  check(what, isDeepStrictEqual(found, wanted), { found, wanted })

/** Waits until a condition holds; whether it came to. */
const until = async (condition, milliseconds = 30000) => {
  const end = Date.now() + milliseconds
  while (Date.now() < end) {
    if (await condition()) return true
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return Boolean(await condition())
}

/** Runs a case and ends the process with its verdict. */
const run = async main => {
  try {
    await main()
  } catch (error) {
    check('the case runs to its end', false, error.stack)
  }
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(passed > 0 && failed === 0 ? 0 : 1)
}

module.exports = { CompressionTypes, check, equal, kafka, run, unique, until }
