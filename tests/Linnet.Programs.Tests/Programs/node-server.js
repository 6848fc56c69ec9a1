// HTTP that tells what it was asked, an echo of TCP, and one of UDP.
const http = require('http'), net = require('net'), dgram = require('dgram');

http.createServer((request, response) => {
  let length = 0;
  request.on('data', data => length += data.length);
  request.on('end', () => {
    response.end(JSON.stringify({ url: request.url, length, from: request.socket.remoteAddress, port: request.socket.remotePort }));
  });
}).listen(80);

net.createServer(socket => socket.pipe(socket)).listen(7);

const echo = dgram.createSocket('udp4');
echo.on('message', (message, sender) => echo.send(message, sender.port, sender.address));
echo.bind(7);
