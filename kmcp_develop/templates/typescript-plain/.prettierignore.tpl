dist/
node_modules/
package-lock.json
*.md
*.yaml
.github/
.kmcp-template.json
