// The least that grpc-js can do: sends back the bytes it gets, unary and streamed. It serves on a free port and prints it.
import grpc from '@grpc/grpc-js';

const bytes = (value) => value;
const method = (path, stream) => ({
  path,
  requestStream: stream,
  responseStream: stream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

const server = new grpc.Server();
server.addService(
  { unary: method('/bench.Echo/Unary', false), stream: method('/bench.Echo/Stream', true) },
  {
    unary: (call, answer) => answer(null, call.request),
    stream: (call) => {
      call.on('data', (message) => call.write(message));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
  },
);
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(port);
});
