//! Open- and closed-loop load generator for log brokers, with latency reports.
