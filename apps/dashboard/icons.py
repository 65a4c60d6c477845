"""The icons, as paths on a grid of 20: drawn with a line, in the colour of the text beside them."""

PATHS = {
    "overview": '<path d="M3 16.5h14M5.5 13V9.5M10 13V4M14.5 13V7"/>',
    "jobs": '<path d="M7.5 5H17M7.5 10H17M7.5 15H17"/><circle cx="3.8" cy="5" r=".8"/>'
    '<circle cx="3.8" cy="10" r=".8"/><circle cx="3.8" cy="15" r=".8"/>',
    "keys": '<circle cx="7" cy="12.5" r="3.5"/><path d="M9.5 10 16.5 3M13.5 6l2.5 2.5"/>',
    "budgets": '<rect x="2.5" y="7" width="15" height="6" rx="1.5"/><path d="M11 7v6M2.5 16.5h15"/>',
    "batches": '<path d="m10 3 7 3.5-7 3.5-7-3.5zM3 10l7 3.5 7-3.5M3 13.5 10 17l7-3.5"/>',
    "capabilities": '<path d="M10 3v14M3 10h14M5.5 5.5l9 9M14.5 5.5l-9 9"/>',
    "playground": '<path d="m4 6 4 4-4 4M10 15h6.5"/>',
    "members": '<circle cx="7.5" cy="7" r="2.8"/><path d="M2.5 16c.3-3 2.300-4.500 5-4.500s4.700 1.500 5 4.500"/>'
    '<path d="M12.500 4.600a2.800 2.800 0 0 1 0 4.800M14.500 11.900c1.700.6 2.700 2 3 4.100"/>',
    "audit": '<path d="M10 2.5 16.5 5v5c0 4-3 6.5-6.5 7.5C6.5 16.5 3.5 14 3.5 10V5zM7.5 10l2 2 3.5-4"/>',
    "admin": '<path d="M3 6h9M16 6h1M3 14h1M8 14h9"/><circle cx="14" cy="6" r="2"/><circle cx="6" cy="14" r="2"/>',
    "search": '<circle cx="9" cy="9" r="5.5"/><path d="m13.2 13.2 3.8 3.8"/>',
    "copy": '<rect x="7" y="7" width="9.5" height="9.5" rx="1.5"/><path d="M13 7V3.5H3.5V13H7"/>',
    "down": '<path d="m6 8 4 4 4-4"/>',
    "right": '<path d="m8 6 4 4-4 4"/>',
    "plus": '<path d="M10 4v12M4 10h12"/>',
    "theme": '<circle cx="10" cy="10" r="6.5"/><path d="M10 3.5v13a6.5 6.5 0 0 0 0-13" fill="currentColor"/>',
    "person": '<circle cx="10" cy="7" r="3"/><path d="M4 17c.500-3.5 3-5 6-5s5.5 1.5 6 5"/>',
    "check": '<path d="m4 10.5 4 4 8-9"/>',
    "cross": '<path d="m5 5 10 10M15 5 5 15"/>',
    "stop": '<rect x="5" y="5" width="10" height="10" rx="1.5"/>',
    "clock": '<circle cx="10" cy="10" r="6.5"/><path d="M10 6v4l2.5 2"/>',
    "text": '<path d="M4 5.5h12M4 10h12M4 14.5h7"/>',
    "thinking": '<path d="M7.5 15.5h5M8 17.5h4M7 13c-3.5-3.5-2-9.5 3-9.5S16.5 9.5 13 13v0H7z"/>',
    "tool": '<path d="M12.5 3.5a4 4 0 0 0-3.7 5.5L3.5 14.300l2.2 2.200L11 11.200a4 4 0 0 0 5.5-3.700l-2.5 1.5-2-2z"/>',
    "agent": '<circle cx="10" cy="5" r="2.5"/><circle cx="5" cy="15" r="2"/><circle cx="15" cy="15" r="2"/>'
    '<path d="M10 7.5V11M10 11l-4 2.5M10 11l4 2.5"/>',
    "denied": '<circle cx="10" cy="10" r="6.5"/><path d="m5.5 5.5 9 9"/>',
    "approval": '<path d="M4 10V5.5M7 10V3.5M10 10V3M13 10V4.5M4 9.5c0 5 2 7.5 5 7.5 4 0 5-3 7-7l-3 1.5"/>',
    "file": '<path d="M5 2.5h6.5L15.5 7v10.5h-10.5zM11.5 2.5V7h4"/>',
    "alert": '<path d="M10 3 17.5 16.5h-15zM10 8v4M10 14.300v.2"/>',
}
