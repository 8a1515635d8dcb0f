// Preloaded into a function's process. The functions framework listens on every address of the machine, and cannot say
// which port it was given: here it listens on 127.0.0.1, and tells its parent the port. It ends with its parent.
const { Server } = require('node:net');

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  const isPort = typeof port === 'number' || (typeof port === 'string' && /^\d+$/.test(port));
  if (!isPort) return Reflect.apply(listen, this, [port, ...rest]);
  this.once('listening', () => process.send?.({ port: this.address().port }));
  return Reflect.apply(listen, this, [
    { port: Number(port), host: '127.0.0.1' },
    ...rest.filter((one) => typeof one === 'function'),
  ]);
};

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();
