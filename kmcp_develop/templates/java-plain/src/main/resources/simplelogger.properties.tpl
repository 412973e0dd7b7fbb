# To stderr: stdout belongs to the protocol.
org.slf4j.simpleLogger.defaultLogLevel=warn
