const s=new WebSocket(`${location.protocol==="https:"?"wss":"ws"}://${location.host}/ws${location.search}`);s.onmessage=(e)=>{document.getElementById("out").textContent=e.data;};
