// Asks node-server.js on the host "web", and says what came of it.
const http = require('http'), net = require('net'), dgram = require('dgram'), dns = require('dns').promises;
const { once } = require('events');

const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });

function ask(path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: 'web', path, agent, method: body ? 'POST' : 'GET' }, response => {
      let text = '';
      response.on('data', data => text += data);
      response.on('end', () => resolve(JSON.parse(text)));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function requests() {
  const ports = new Set();
  let right = 0;
  for (const size of [0, 100000, 0]) {
    const answers = await Promise.all([...Array(100).keys()].map(i => ask(`/${i}`, size ? Buffer.alloc(size) : null)));
    answers.forEach((answer, i) => {
      right += answer.url === `/${i}` && answer.length === size && answer.from === '10.0.0.2' ? 1 : 0;
      ports.add(answer.port);
    });
  }
  agent.destroy();
  console.log(`http: ${right} right answers on ${ports.size} connections`);
}

async function stream() {
  const socket = net.connect({ port: 7, host: 'web', allowHalfOpen: true });
  await once(socket, 'connect');
  console.log(`net: ${socket.localAddress} to ${socket.remoteAddress}:${socket.remotePort}`);
  let echoed = 0;
  socket.on('data', data => echoed += data.length);
  for (let i = 0; i < 64; i++)
    if (!socket.write(Buffer.alloc(65536)))
      await once(socket, 'drain');
  socket.end();
  await once(socket, 'end');
  console.log(`net: ${echoed} echoed, then the end`);
}

async function failures() {
  const [refused] = await once(net.connect(81, 'web'), 'error');
  console.log(`net: ${refused.code} ${refused.syscall} ${refused.address}:${refused.port}`);
  const silent = net.connect(81, '10.0.0.77');
  silent.setTimeout(200);
  await once(silent, 'timeout');
  silent.destroy();
  console.log('net: timeout');
}

async function datagrams() {
  const socket = dgram.createSocket('udp4');
  socket.send('a datagram', 7, 'web');
  const [message, sender] = await once(socket, 'message');
  console.log(`dgram: ${message} from ${sender.address}:${sender.port}`);
  socket.close();
  const connected = dgram.createSocket('udp4');
  connected.connect(9, '10.0.0.1');
  await once(connected, 'connect');
  connected.send('to nobody');
  const [error] = await once(connected, 'error');
  console.log(`dgram: ${error.code}`);
  connected.close();
}

(async () => {
  console.log(`dns: ${(await dns.lookup('web')).address} ${await dns.resolve4('web')}`);
  await requests();
  await stream();
  await failures();
  await datagrams();
})().catch(error => {
  console.log(error);
  process.exit(1);
});
