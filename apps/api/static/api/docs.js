const at = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: at.dataset.schema,
  domNode: at,
  deepLinking: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
