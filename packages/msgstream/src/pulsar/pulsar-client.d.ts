/** It is not installed where its binary cannot be had: what is used of it is in native-client.ts. */
declare module 'pulsar-client'
