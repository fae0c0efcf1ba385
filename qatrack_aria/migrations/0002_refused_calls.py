from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("qatrack_aria", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="retrieval",
            name="times",
            field=models.PositiveIntegerField(
                default=1,
                help_text="How many calls were refused alike within a minute; they share this row.",
                verbose_name="times",
            ),
        ),
    ]
